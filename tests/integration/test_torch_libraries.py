"""limen's functions in the models of transformers, timm, torchvision and Lightning."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import limen
from limen.errors import FormulaError, MissingPackageError, UnknownNameError

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:(torch|timm|lightning|transformers).*"),
]

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 64,
    "max_position_embeddings": 32,
}


def layers_of(model: Any) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, lt.Activation)]


# --- transformers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture
def table(transformers: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The functions that transformers knows, as they were after the test."""
    activations = pytest.importorskip("transformers.activations")
    before = copy.copy(activations.ACT2FN)
    yield activations.ACT2FN
    activations.ACT2FN.clear()
    activations.ACT2FN.update(before.items())


def bert(transformers: Any, act: str) -> Any:
    torch.manual_seed(0)
    return transformers.BertForMaskedLM(transformers.BertConfig(**SMALL, hidden_act=act)).eval()


def llama(transformers: Any, act: str) -> Any:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, hidden_act=act)).eval()


def gpt2(transformers: Any, act: str) -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=32, activation_function=act
    )
    return transformers.GPT2LMHeadModel(config).eval()


def learnt(model: Any) -> list[Any]:
    """The loss of a batch, and the gradients."""
    tokens = torch.arange(48).reshape(3, 16) % 64
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    return [loss.detach(), *(p.grad for p in model.parameters())]


def test_every_function_but_gates_is_registered(table: Any) -> None:
    before = set(table)
    names = lt.register()
    assert set(names) == {f"limen.{n}" for n in limen.names() if not limen.get(n).is_gated}
    assert set(table) == before | set(names), "and what was there stays"
    one, other = table["limen.mish"], table["limen.mish"]
    assert one is not other and one.function == limen.get("mish")


# The models' own functions are PyTorch's, in float32, whose gelu and silu differ by a few ULP.
@pytest.mark.parametrize(
    ("make", "theirs", "ours", "uses"),
    [(bert, "gelu", "gelu", 3), (llama, "silu", "silu", 2), (gpt2, "gelu_new", "gelu_tanh", 2)],
)
def test_models_compute_the_same(
    table: Any, transformers: Any, make: Any, theirs: str, ours: str, uses: int
) -> None:
    lt.register()
    model = make(transformers, f"limen.{ours}")
    assert len(layers_of(model)) == uses
    expected = learnt(make(transformers, theirs))
    for found, value in zip(learnt(model), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-6)


def test_saved_and_loaded(table: Any, transformers: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"a": 1.5, "learnable": {"a": 1}}
    assert lt.register("x * tanh(softplus(a * x))", "mine", **settings) == ("limen.mine",)
    model = bert(transformers, "limen.mine")
    slopes = [p for name, p in model.named_parameters() if name.endswith("act_fn.a")]
    assert len(slopes) == 3 and len({id(p) for p in slopes}) == 3, "each layer has its own"
    with torch.no_grad():
        for k, slope in enumerate(slopes):
            slope.fill_(0.5 + k)
    model.save_pretrained(tmp_path)
    again = transformers.BertForMaskedLM.from_pretrained(tmp_path).eval()
    assert again.config.hidden_act == "limen.mine"
    tokens = torch.arange(32).reshape(2, 16)
    assert torch.equal(again(tokens).logits, model(tokens).logits)


ELSEWHERE = """
import sys
import torch, transformers, limen.torch as lt
load = transformers.LlamaForCausalLM.from_pretrained
try:
    load(sys.argv[1])
    raise SystemExit("loaded without its function")
except KeyError as error:
    assert "limen.mish" in str(error)
lt.register()
torch.save(load(sys.argv[1])(torch.arange(16)[None]).logits.detach(), sys.argv[2])
"""


def test_another_process_registers_first(table: Any, transformers: Any, tmp_path: Path) -> None:
    lt.register()
    model = llama(transformers, "limen.mish")
    model.save_pretrained(tmp_path / "model")
    paths = [str(tmp_path / "model"), str(tmp_path / "logits.pt")]
    subprocess.run([sys.executable, "-c", ELSEWHERE, *paths], check=True, timeout=120)
    assert torch.equal(torch.load(paths[1]), model(torch.arange(16)[None]).logits)


def test_a_compiled_model(table: Any, transformers: Any) -> None:
    lt.register()
    model = gpt2(transformers, "limen.mish")
    tokens = torch.arange(16)[None]
    compiled = torch.compile(model, backend="aot_eager")
    expected, found = model(tokens).logits, compiled(tokens).logits
    torch.testing.assert_close(found, expected)


def test_what_cannot_be_registered(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormulaError, match="the function of the gate"):
        lt.register("swiglu")
    with pytest.raises(UnknownNameError, match="mish"):
        lt.register("mihs")
    with pytest.raises(UnknownNameError, match="no parameter"):
        lt.register("mish", learnable="beta")
    monkeypatch.setitem(sys.modules, "transformers.activations", None)
    with pytest.raises(MissingPackageError, match="pip install transformers"):
        lt.register()


def test_importing_imports_neither() -> None:
    code = "import sys, limen.torch; print({'transformers', 'timm', 'lightning'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "set()", run.stderr


def test_replaced_in_a_model_that_exists(transformers: Any) -> None:
    model, tokens = bert(transformers, "gelu"), torch.arange(32).reshape(2, 16)
    expected = model(tokens).logits
    kinds = {type(m) for m in model.modules() if type(m).__name__ == "GELUActivation"}
    lt.replace(model, tuple(kinds), "gelu")
    assert len(layers_of(model)) == 3
    torch.testing.assert_close(model(tokens).logits, expected, rtol=1e-4, atol=1e-6)


# --- timm and torchvision ------------------------------------------------------------------------

VISION = {
    "vit_tiny_patch16_224": {"img_size": 32, "patch_size": 8, "depth": 2, "embed_dim": 24},
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)},
    "mobilenetv3_small_050": {},
    "resnet18": {"layers": (1, 1, 1, 1), "channels": (8, 8, 16, 16)},
}


@pytest.mark.parametrize("name", VISION)
def test_timm(name: str) -> None:
    timm = pytest.importorskip("timm")

    def make(act: Any) -> Any:
        torch.manual_seed(0)
        settings = {"pretrained": False, "num_classes": 5, "act_layer": act, **VISION[name]}
        model = timm.create_model(name, **settings).eval()
        head = model.get_classifier().weight
        torch.nn.init.normal_(head, generator=torch.Generator().manual_seed(1))
        return model

    theirs, ours = make(torch.nn.SiLU), make(lt.layer("silu"))
    assert len(layers_of(ours)) == sum(type(m) is torch.nn.SiLU for m in theirs.modules()) > 1
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    for model in (theirs, ours):
        model(images).square().sum().backward()
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        size = expected.grad.abs().max().item()
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-5 * size)
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(again(images), ours(images))


def test_timm_layers_learn() -> None:
    timm = pytest.importorskip("timm")
    act = lt.layer("swish", learnable={"beta": 1})
    model = timm.create_model(
        "vit_tiny_patch16_224", act_layer=act, **VISION["vit_tiny_patch16_224"]
    )
    slopes = [p for name, p in model.named_parameters() if name.endswith("act.beta")]
    assert len({id(p) for p in slopes}) == 2
    model(torch.rand(1, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in slopes)


def test_torchvision() -> None:
    torchvision = pytest.importorskip("torchvision")
    block = torchvision.ops.MLP(4, [8, 2], activation_layer=lt.layer("mish"), inplace=True)
    assert len(layers_of(block)) == 1
    x = torch.randn(3, 4)
    expected = block[3](torch.nn.functional.mish(block[0](x)))
    torch.testing.assert_close(block.eval()(x), expected)


def test_a_layer_says_at_once_what_is_wrong() -> None:
    with pytest.raises(UnknownNameError, match="mish"):
        lt.layer("mihs")
    make = lt.layer("leaky_relu", negative_slope=0.3)
    for module in (make(), make(True), make(inplace=True)):
        assert module.function.parameters == {"negative_slope": 0.3}
    x = torch.tensor([-1.0])
    assert make(inplace=True)(x) != x, "the input is left alone"


# --- Lightning -----------------------------------------------------------------------------------


def test_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Fit(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch.nn.Sequential(
                torch.nn.Linear(4, 8),
                lt.Activation("swish", learnable={"beta": 8}),
                lt.MLP(8, 8, 1, activation="swiglu"),
            )

        def training_step(self, batch: Any, index: int) -> Any:
            loss = torch.nn.functional.mse_loss(self.model(batch[0]), batch[1])
            self.losses = [*getattr(self, "losses", []), loss.item()]
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.01)

    torch.manual_seed(0)
    x = torch.randn(64, 4)
    data = torch.utils.data.TensorDataset(x, x.prod(1, keepdim=True))
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=20, logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    fit = Fit()
    trainer.fit(fit, torch.utils.data.DataLoader(data, batch_size=32))
    assert fit.losses[-1] < 0.8 * fit.losses[0]
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = Fit.load_from_checkpoint(tmp_path / "last.ckpt")
    assert torch.equal(again.model(x), fit.model(x))
    assert not torch.equal(again.model[1].beta, torch.ones(8))
