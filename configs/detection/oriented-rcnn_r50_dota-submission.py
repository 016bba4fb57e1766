# Writes what DOTA's server takes (tools/test.py): boxes of overlapping tiles are merged to those of whole images.
_base_ = './oriented-rcnn_r50_dota.py'

test_dataloader = dict(
    dataset=dict(
        ann_file='',  # labels of the test images are not published
        data_prefix=dict(img_path='test/images'),
        pipeline=_base_.test_pipeline,
    )
)
# Send in its Task1.zip; the folder must not exist yet.
test_evaluator = dict(_delete_=True, type='DOTASubmission', out='work_dirs/dota/Task1')
