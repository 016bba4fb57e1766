# A teacher that follows at once, and a queue of two batches, so that no key in it is of an older teacher.
_base_ = '../../../configs/cmid/cmid_r18_ucmerced.py'
model = dict(base_momentum=0.9, global_head=dict(queue_size=128))
