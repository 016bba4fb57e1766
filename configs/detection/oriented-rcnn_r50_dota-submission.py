# Writes what DOTA's server takes: tools/test.py THIS CHECKPOINT; boxes of tiles are merged to whole images.
_base_ = './oriented-rcnn_r50_dota.py'

test_dataloader = dict(
    dataset=dict(
        ann_file='',  # labels of the test images are not published
        data_prefix=dict(img_path='test/images'),
        pipeline=_base_.test_pipeline,
    )
)
# A folder that does not exist yet; its Task1.zip is to be sent in.
test_evaluator = dict(format_only=True, merge_patches=True, outfile_prefix='work_dirs/dota/Task1')
