# Swin-T for pretraining at 96 pixels: maps of 24, 12, 6 and 3 cells a side, so that a window never exceeds its map.
swin_t_96 = dict(
    arch='tiny',
    img_size=96,
    drop_path_rate=0.0,
    stage_cfgs=[dict(block_cfgs=dict(window_size=window)) for window in (6, 6, 6, 3)],
)
