import numpy as np
import pytest
import torch
from mmpretrain.models.backbones import ResNet
from PIL import Image
from torch import nn

from cmid_mm.evaluation.features import MEAN, STD, extract_features


@pytest.fixture(scope='module')
def backbone() -> nn.Module:
    torch.manual_seed(0)
    model = ResNet(18, frozen_stages=1)
    model.init_weights()
    # Statistics other than 0 and 1, so that evaluation mode and training mode differ.
    model.train()
    with torch.no_grad():
        model(torch.randn(8, 3, 64, 64) * 2 + 1)
    return model


@pytest.fixture
def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(5)]


def test_features_are_the_pooled_last_map_of_the_normalised_image(backbone, images):
    values, labels = extract_features(backbone, images, size=64, batch_size=2)
    backbone.eval()
    inputs = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    inputs = (inputs - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = backbone(inputs)[-1].flatten(2).mean(-1).numpy()
    backbone.train()
    assert labels is None
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_labels_come_with_the_items_and_progress_counts_them(backbone, images):
    seen = []
    features = extract_features(
        backbone, [(image, 7 - i) for i, image in enumerate(images)], 64, 3, progress=seen.append
    )
    assert features.labels.tolist() == [7, 6, 5, 4, 3]
    assert seen == [3, 2]


def test_files_are_read_as_rgb_and_squeezed_whole(backbone, images, tmp_path):
    wide = np.concatenate([images[0], images[1]], axis=1)
    Image.fromarray(wide).save(tmp_path / 'wide.png')
    from_file = extract_features(backbone, [tmp_path / 'wide.png'], size=64).values
    # Areas of 1 x 2 pixels are averaged.
    squeezed = np.round(wide.reshape(64, 64, 2, 3).mean(axis=2)).astype(np.uint8)
    by_hand = extract_features(backbone, [squeezed], size=64).values
    np.testing.assert_allclose(from_file, by_hand, rtol=0.01, atol=0.01)


def test_every_module_keeps_its_mode_and_statistics(backbone, images):
    backbone.train()
    modes = [module.training for module in backbone.modules()]
    assert True in modes
    assert False in modes
    state = {name: value.clone() for name, value in backbone.state_dict().items()}
    extract_features(backbone, images, size=64)
    assert [module.training for module in backbone.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in backbone.state_dict().items())


def test_modes_are_restored_after_an_error(images):
    class Broken(nn.Linear):
        def forward(self, x):
            return x[:, :, 0]

    broken = Broken(3, 3)
    with pytest.raises(ValueError, match=r'maps \(B, C, h, w\)'):
        extract_features(broken, images, size=64)
    assert broken.training


def test_no_images_is_an_error(backbone):
    with pytest.raises(ValueError, match='no images'):
        extract_features(backbone, [])
