# CMID's contrast of views alone, without masks.
_base_ = './cmid_unmasked.py'
model = dict(local_head=None)
