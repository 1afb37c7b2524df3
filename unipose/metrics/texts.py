"""How close texts come to reference texts: BLEU-4, ROUGE-L and METEOR, each by its library.

All three count words in common, so a true description in other words scores low; eval.truth reads
the texts instead. Nothing is downloaded: METEOR knows synonyms only where WordNet is in nltk's
data path, and the scores say which of the two METEORs they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unipose.errors import ConfigError

Synonyms = Literal["wordnet", "none"]


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """Scores in per cent, as the field prints them."""

    bleu4: float
    """sacrebleu, over the whole set of texts (not a mean over texts); case does not count."""
    bleu_signature: str
    """sacrebleu's own account of references, case, tokens, smoothing and version."""
    rouge_l: float
    """rouge-score, F of the longest common subsequence of stems, mean over texts; of several
    references the best."""
    meteor: float
    """nltk (alpha 0.9, beta 3, gamma 0.5), mean over texts; of several references the best."""
    synonyms: Synonyms
    """Whether METEOR matched synonyms; without ("none") it matches words and stems and is lower:
    the two are different measures."""
    texts: int


class NoWordNet:
    """Stands in for WordNet where there is none: no word has a synonym."""

    def synsets(self, word: str, pos: str | None = None) -> list[object]:
        """Return no synonym sets."""
        return []


def text_scores(
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    synonyms: Synonyms | Literal["if there"] = "if there",
) -> TextScores:
    """Return BLEU-4, ROUGE-L and METEOR of texts beside one or more references each.

    `synonyms`: "wordnet" asks for METEOR with WordNet and fails without it, "none" leaves it out,
    "if there" takes it where nltk finds it. Raises ConfigError if texts and references do not
    match, or if WordNet is asked for and not there.
    """
    if not texts or len(texts) != len(references) or not all(references):
        raise ConfigError(
            f"expected a list of references per text, got {len(texts)} texts and "
            f"{len(references)} lists, {sum(not some for some in references)} of them empty"
        )
    bleu, signature = _bleu4(texts, references)
    known, found = _wordnet(synonyms)
    return TextScores(
        bleu4=bleu,
        bleu_signature=signature,
        rouge_l=_rouge_l(texts, references),
        meteor=_meteor(texts, references, known),
        synonyms=found,
        texts=len(texts),
    )


def _bleu4(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, str]:
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(lowercase=True)
    most = max(len(some) for some in references)
    streams = [[some[i] if i < len(some) else None for some in references] for i in range(most)]
    # None says that a text has fewer references than others; sacrebleu's annotation forgot it
    score = bleu.corpus_score(list(texts), streams)  # type: ignore[arg-type]
    return float(score.score), str(bleu.get_signature())


def _rouge_l(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    found = [
        scorer.score_multi(list(some), text)["rougeL"].fmeasure
        for text, some in zip(texts, references, strict=True)
    ]
    return 100 * sum(found) / len(found)


def _meteor(texts: Sequence[str], references: Sequence[Sequence[str]], wordnet: object) -> float:
    from nltk.tokenize import wordpunct_tokenize
    from nltk.translate.meteor_score import meteor_score

    found = [
        meteor_score(
            [wordpunct_tokenize(reference) for reference in some],
            wordpunct_tokenize(text),
            wordnet=wordnet,  # type: ignore[arg-type]  # the one method of it that is called
        )
        for text, some in zip(texts, references, strict=True)
    ]
    return 100 * sum(found) / len(found)


def _wordnet(wanted: Synonyms | Literal["if there"]) -> tuple[object, Synonyms]:
    """Return what knows synonyms, and what to call it."""
    if wanted == "none":
        return NoWordNet(), "none"
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        if wanted == "wordnet":
            raise ConfigError(
                "METEOR with synonyms needs WordNet in nltk's data path, and it is not there; "
                "install it (nltk.download('wordnet')), or ask for synonyms='none'"
            ) from error
        return NoWordNet(), "none"
    return wordnet, "wordnet"
