"""ST-Net's network starts at the mean, errs as published, and takes torchvision's names."""

import pytest
import torch
from torch import nn
from torchvision.models import densenet121

from mclstexp.core.errors import InputError
from mclstexp.nn.st_net import StNet, load_st_net, st_net_loss


def test_it_starts_at_the_mean_whatever_it_sees():
    mean = torch.tensor([1.0, -2.0])
    model = StNet(nn.Identity(), n_features=3, mean=mean)
    torch.testing.assert_close(model(torch.randn(4, 3)), mean.expand(4, 2))


def test_the_loss_is_summed_over_the_batch_and_averaged_over_genes():
    predicted, truth = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    assert st_net_loss(predicted, truth).item() == pytest.approx((1 + 4) / 2 + (9 + 1) / 2)


def test_the_mean_of_features_gives_the_mean_of_predictions():
    model = StNet(nn.Identity(), n_features=3, mean=torch.zeros(2))
    nn.init.normal_(model.head.weight)
    ways = torch.randn(5, 8, 3)
    torch.testing.assert_close(model.read(ways.mean(dim=1)), model.read(ways.flatten(0, 1)).view(5, 8, 2).mean(dim=1))


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_checkpoint_of_torchvisions_network_computes_what_torchvision_does(tmp_path, wrapped):
    torch.manual_seed(0)
    theirs = densenet121(num_classes=5).eval()
    weights = {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}
    torch.save({"model": weights, "optim": {"lr": 1e-6}} if wrapped else weights, tmp_path / "epoch.pt")
    model = load_st_net(tmp_path / "epoch.pt")
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in theirs.parameters())
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = theirs((pixels / 255 - model.backbone.mean) / model.backbone.std)
        torch.testing.assert_close(model(pixels), expected, rtol=1e-4, atol=1e-5)


def test_other_files_are_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"found one without classifier\.bias"):
        load_st_net(tmp_path / "other.pt")
    torch.save({"classifier.bias": torch.zeros(2)}, tmp_path / "head.pt")
    with pytest.raises(InputError, match="published ST-Net with DenseNet-121"):
        load_st_net(tmp_path / "head.pt")
