# 8 processes x 64 images = 512, 200 epochs, as CMID's recipe; SparK's own runs have 800 or 1600.
_base_ = [
    '../_base_/models/spark.py',
    '../_base_/datasets/masked_images_224.py',
    '../_base_/schedules/spark_200e.py',
    '../_base_/rival_runtime.py',
]
train_dataloader = dict(batch_size=64, dataset=dict(data_root='data/millionaid/test'))
