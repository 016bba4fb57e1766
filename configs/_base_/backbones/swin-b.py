# Swin-B as pretraining left it.
_base_ = './r50.py'

backbone = dict(
    _delete_=True,
    type='mmpretrain.SwinTransformer',
    arch='base',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.3,
    pad_small_map=True,  # images of any size
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/cmid_swin-b_millionaid.safetensors',
        # Pretraining sees the last map alone; the norms of the other three begin with the task.
        untrained=('norm0', 'norm1', 'norm2'),
    ),
)
channels = [128, 256, 512, 1024]
