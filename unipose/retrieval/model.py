"""Pose-text and pose-pair-text retrieval: two towers whose features agree where pose and text do.

The pose tower is the encoder family of the pose tokenizer with 40 tokens, brought to one vector by
a convolution over the tokens; a pair's two encodings are joined on their channels first. The text
tower reads words both ways by a GRU (UniPose, supplement B.2). Features have length 1, their
product is the cosine. Every pose is turned to face the front first, as our texts speak of it: a
turn of the whole body, of either pose of a pair, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from tokenizer.networks import ResidualBlock
from tokenizer.rotations import rotations_to_6d
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, MissingFileError, PoseQueryError, WeightsError
from unipose.files.atomic import written_whole
from unipose.retrieval.words import load_words

Kind = Literal["pose", "pair"]
CONFIG, WEIGHTS, WORDS = "retrieval.json", "retrieval.safetensors", "words.json"
SIXD, PLACE = 6, 3
JOINT_SCALE = 0.5
"""Metres; brings joint positions to the size of a network's inputs."""
ROWS = 256
"""Poses or texts that are embedded at once."""


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """Sizes of a retrieval model; the defaults are the published ones."""

    kind: Kind = "pose"
    """What goes with a text: a pose, or a pair of poses (from the first to the second)."""
    tokens: int = 40
    """Places into which the pose tower spreads the 22 joints."""
    width: int = 512
    """Channels of the pose tower."""
    places: bool = False
    """Whether the pose tower is also told where the joints are, which it would have to work out
    of their rotations; not in the published model."""
    words: int = 30_522
    word_width: int = 768
    words_learn: bool = False
    """Whether word embeddings learn; the published ones are DistilBERT's and stay."""
    text_width: int = 512
    """States of the GRU in each direction."""
    features: int = 512

    def __post_init__(self) -> None:
        for name in ("tokens", "width", "words", "word_width", "text_width", "features"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.kind not in ("pose", "pair"):
            raise ConfigError(f"kind must be pose or pair, got {self.kind!r}")


class PoseEncoder(nn.Module):
    """Joints as a 1D signal, spread to 40 places, to 80, and halved: features at 40 places."""

    def __init__(self, config: RetrievalConfig) -> None:
        super().__init__()
        width, self.tokens = config.width, config.tokens
        numbers = SIXD + PLACE if config.places else SIXD
        self.lift = nn.Conv1d(numbers, width, 3, padding=1)
        self.spread = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.halve = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(ResidualBlock(width, 3), ResidualBlock(width, 1))
        self.project = nn.Conv1d(width, config.features, 3, padding=1)

    def forward(
        self, joints: Float[Tensor, "pose joint number"]
    ) -> Float[Tensor, "pose feature token"]:
        """Return what is seen at each place."""
        x = functional.relu(self.lift(joints.mT))
        for i, convolution in enumerate(self.spread):
            x = functional.interpolate(x, size=self.tokens << i, mode="nearest")
            x = functional.relu(convolution(x))
        return self.project(self.blocks(self.halve(x)))


class OverTokens(nn.Module):
    """A convolution over the token axis: 40 vectors become one."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(tokens, 1, 3, padding=1)

    def forward(self, seen: Float[Tensor, "pose feature token"]) -> Float[Tensor, "pose feature"]:
        """Return one vector per pose."""
        return self.mix(seen.mT)[:, 0]


class TextTower(nn.Module):
    """Word embeddings, two linear maps, a GRU in both directions, and a perceptron."""

    def __init__(self, config: RetrievalConfig) -> None:
        super().__init__()
        width = config.text_width
        self.words = nn.Embedding(config.words, config.word_width)
        self.words.weight.requires_grad_(config.words_learn)
        self.adapt = nn.Sequential(
            nn.Linear(config.word_width, width), nn.LayerNorm(width), nn.Linear(width, width)
        )
        self.start = nn.Parameter(torch.zeros(2, 1, width))
        self.read = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.finish = nn.Sequential(
            nn.Linear(2 * width, config.features),
            nn.ReLU(),
            nn.Linear(config.features, config.features),
        )

    def forward(
        self, ids: Int[Tensor, "text word"], lengths: Int[Tensor, " text"]
    ) -> Float[Tensor, "text feature"]:
        """Return one vector per text; what is filled up behind a text is not read."""
        words = self.adapt(self.words(ids))
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.read(packed, self.start.expand(-1, len(ids), -1).contiguous())
        return self.finish(rearrange(last, "way text width -> text (way width)"))


class RetrievalModel(nn.Module):
    """Embeds poses (or pairs of poses) and texts where they can be compared."""

    joints_at_rest: Tensor

    def __init__(
        self,
        config: RetrievalConfig,
        words: Tokenizer,
        joints_at_rest: Float[Tensor, "24 3"] | None = None,
    ) -> None:
        super().__init__()
        if words.get_vocab_size() != config.words:
            raise ConfigError(
                f"the word list has {words.get_vocab_size()} words, the model {config.words}"
            )
        self.config, self.words = config, words
        at_rest = torch.zeros(24, 3) if joints_at_rest is None else joints_at_rest.clone()
        self.register_buffer("joints_at_rest", at_rest)
        self.encoder = PoseEncoder(config)
        features = config.features
        self.join = nn.Identity()
        if config.kind == "pair":
            self.join = nn.Sequential(
                nn.Conv1d(2 * features, features, 3, padding=1),
                nn.ReLU(),
                nn.Conv1d(features, features, 3, padding=1),
                nn.ReLU(),
            )
        self.over_tokens = OverTokens(config.tokens)
        self.text = TextTower(config)
        self.scale = nn.Parameter(torch.tensor(10.0))
        """Learned inverse temperature of the loss (published start)."""

    def forward(
        self,
        rotations: Sequence[Float[Tensor, "pose joint 3 3"]],
        ids: Int[Tensor, "pose word"],
        lengths: Int[Tensor, " pose"],
    ) -> tuple[Float[Tensor, "pose feature"], Float[Tensor, "pose feature"]]:
        """Return features of one pose (or the two of a pair) per row, and of its text."""
        return self.encode_pose(rotations), self.read(ids, lengths)

    def encode_pose(
        self, rotations: Sequence[Float[Tensor, "pose joint 3 3"]]
    ) -> Float[Tensor, "pose feature"]:
        """Return features of poses, given as one batch, or of pairs, given as two."""
        encoded = torch.cat([self.encoder(self._measure(some)) for some in rotations], dim=1)
        return functional.normalize(self.over_tokens(self.join(encoded)), dim=-1)

    def read(
        self, ids: Int[Tensor, "text word"], lengths: Int[Tensor, " text"]
    ) -> Float[Tensor, "text feature"]:
        """Return features of texts given as ids of words."""
        return functional.normalize(self.text(ids, lengths), dim=-1)

    def _measure(
        self, rotations: Float[Tensor, "pose joint 3 3"]
    ) -> Float[Tensor, "pose 22 number"]:
        """Return what the tower sees of each joint, relative to the pose at rest."""
        rotations = face_front(rotations[:, :POSED_JOINTS])
        seen = rotations_to_6d(rotations) - rotations_to_6d(torch.eye(3, device=rotations.device))
        if not self.config.places:
            return seen
        rest = self.joints_at_rest[:POSED_JOINTS] - self.joints_at_rest[:1]
        places = (forward_kinematics(rotations, self.joints_at_rest) - rest) / JOINT_SCALE
        return torch.cat([seen, places], dim=-1)

    def spell(self, texts: Sequence[str]) -> tuple[Int[Tensor, "text word"], Int[Tensor, " text"]]:
        """Return the ids of the words of each text, filled up with 0, and how many there are.

        With "left"=5, "arm"=7, "up"=9: ["left arm up", "arm"] gives [[5, 7, 9], [7, 0, 0]] and
        [3, 1]. Raises PoseQueryError for a text without a word.
        """
        spelled = [self.words.encode(text, add_special_tokens=False).ids for text in texts]
        empty = [i for i, ids in enumerate(spelled) if not ids]
        if empty or not spelled:
            raise PoseQueryError(f"expected texts with words, text {empty[:1] or 'list'} has none")
        rows = pad_sequence([torch.tensor(ids) for ids in spelled], batch_first=True)
        device = self.scale.device
        return rows.to(device), torch.tensor([len(ids) for ids in spelled], device=device)

    def embed_poses(self, poses: Pose) -> Float[Tensor, "pose feature"]:
        """Return features of length 1 (CPU); ConfigError if this is a model of pairs."""
        self._must_be("pose")
        return self._in_pieces(
            lambda rows: self.encode_pose([self._rotations(poses, rows)]), len(poses)
        )

    def embed_pairs(self, first: Pose, second: Pose) -> Float[Tensor, "pair feature"]:
        """Return features of the ways from `first` to `second`, row by row.

        Raises ConfigError if this is a model of single poses, PoseQueryError if there are not as
        many second poses as first ones.
        """
        self._must_be("pair")
        if len(first) != len(second):
            raise PoseQueryError(f"expected pairs, got {len(first)} and {len(second)} poses")
        return self._in_pieces(
            lambda rows: self.encode_pose(
                [self._rotations(some, rows) for some in (first, second)]
            ),
            len(first),
        )

    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "text feature"]:
        """Return features of length 1 (CPU); PoseQueryError for a text without a word."""
        return self._in_pieces(lambda rows: self.read(*self.spell(texts[rows])), len(texts))

    def _must_be(self, kind: Kind) -> None:
        if self.config.kind != kind:
            raise ConfigError(
                f"this retrieval model was made for {self.config.kind}s, not for {kind}s"
            )

    def _rotations(self, poses: Pose, rows: slice) -> Float[Tensor, "pose 22 3 3"]:
        return poses.rotations[rows, :POSED_JOINTS].to(self.scale)

    @torch.no_grad()
    def _in_pieces(
        self, embed: Callable[[slice], Tensor], count: int
    ) -> Float[Tensor, "row feature"]:
        starts = range(0, count, ROWS)
        found = [embed(slice(start, min(start + ROWS, count))).cpu() for start in starts]
        return torch.cat(found) if found else torch.zeros(0, self.config.features)

    def save_pretrained(self, folder: str | Path, *, half: bool = False, **known: object) -> None:
        """Write retrieval.json, retrieval.safetensors and words.json into `folder`.

        `half` halves the file; weights are loaded and run in single precision all the same.
        `known` is kept in the JSON beside the sizes: where the weights come from.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        dtype = torch.float16 if half else torch.float32
        state = {
            name: v.detach().cpu().to(dtype).contiguous() for name, v in self.state_dict().items()
        }
        with written_whole(folder / WEIGHTS) as path:
            save_file(state, path)
        with written_whole(folder / WORDS) as path:
            path.write_text(self.words.to_str(), encoding="utf-8")
        with written_whole(folder / CONFIG) as path:
            path.write_text(json.dumps({"sizes": asdict(self.config), **known}, indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> RetrievalModel:
        """Return the model that `save_pretrained` wrote, in single precision, ready to embed.

        Raises MissingFileError if there is none, WeightsError if its files do not fit each other.
        """
        folder = Path(folder)
        for name in (CONFIG, WEIGHTS, WORDS):
            if not (folder / name).is_file():
                raise MissingFileError(
                    folder, f"there is no {name}.", "Train one: python -m train.retrieval."
                )
        try:
            sizes = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["sizes"]
            model = cls(RetrievalConfig(**sizes), load_words(folder / WORDS))
            state = {k: value.float() for k, value in load_file(folder / WEIGHTS).items()}
            model.load_state_dict(state, strict=True)
        except (KeyError, TypeError, ConfigError, json.JSONDecodeError, SafetensorError) as error:
            raise WeightsError(folder, f"the model cannot be loaded: {error}.") from error
        except RuntimeError as error:
            raise WeightsError(folder, f"the weights do not fit {CONFIG}: {error}.") from error
        return model.eval().requires_grad_(False)


def batch_based_classification(
    poses: Float[Tensor, "pair feature"],
    texts: Float[Tensor, "pair feature"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return the loss of telling each pose's text from the batch's others, and the reverse.

    The mean of both directions, as the published code has it; the paper prints one direction
    (supplement, eq. 2). `scale` multiplies the cosines.
    """
    logits = scale * poses @ texts.mT
    own = torch.arange(len(logits), device=logits.device)
    one_way = functional.cross_entropy(logits, own)
    return (one_way + functional.cross_entropy(logits.mT, own)) / 2
