"""Whatever happens to a dataset's files, `vtinstruct check` says so in one line for each file and ends with exit code 1.

Some hundred damages of every kind, drawn anew from a fixed seed: the slow test draws thousands.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from vtinstruct.build import Options, build
from vtinstruct.build.progress import Silent
from vtinstruct.cli import main
from vtinstruct.manifest import read_manifest

Datasets = dict[str, tuple[Path, Path]]
FORMS = {"arrow": Options(("rec", "caption")), "parquet": Options(("rec",), format="parquet", embed=True)}


@pytest.fixture(scope="module")
def datasets(small_chosen, tmp_path_factory) -> Datasets:
    """Of every form a dataset, and one of another seed."""
    root, found = tmp_path_factory.mktemp("fuzz"), {}
    for name, options in FORMS.items():
        for seed in (0, 1):
            chosen = [one for one in small_chosen if one.source.name in ("refcoco", "coco_captions")]
            asked = Options(options.tasks, seed=seed, format=options.format, embed=options.embed)
            build(chosen, asked, root / f"{name}{seed}", Silent())
        found[name] = root / f"{name}0", root / f"{name}1"
    return found


def flip(path: Path, draw: Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, draw: Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content))])


def grow(path: Path, draw: Random) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.choice((1, 8, 4096))))


def lose(path: Path, draw: Random) -> None:
    path.unlink()


def scramble(path: Path, draw: Random) -> None:
    content = bytearray(path.read_bytes())
    start = draw.randrange(len(content))
    content[start : start + 64] = draw.randbytes(len(content[start : start + 64]))
    path.write_bytes(content)


DAMAGES: tuple[Callable[[Path, Random], None], ...] = (flip, flip, cut, grow, lose, scramble)


def files_of(root: Path) -> list[str]:
    """Every file but pictures, the card (whose words are anyone's) and the ledger (of which the lines are counted)."""
    paths = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
    kept = [path for path in paths if path.parts[0] not in ("images", ".build", "README.md", "drops.jsonl")]
    return [path.as_posix() for path in kept]


@pytest.fixture
def checked(monkeypatch, capsys):
    """`checked(folder)` -> what `vtinstruct check` prints: its findings, a line each. There must be some."""

    def call(root: Path) -> list[str]:
        monkeypatch.setattr("sys.argv", ["vtinstruct", "check", str(root)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 1, said
        if said.err:  # no manifest to go by
            assert said.out == ""
            return said.err.splitlines()
        *findings, last = said.out.splitlines()
        assert last.startswith("unsound: ")
        return findings

    return call


def damage_and_check(sound: Path, copy: Path, times: int, seed: int, checked: Callable[[Path], list[str]]) -> None:
    draw, names = Random(seed), files_of(sound)
    shards = [name for name in names if name.startswith("data/") and not name.endswith(".json")]
    shutil.copytree(sound, copy, symlinks=True)
    for number in range(times):
        name = draw.choice(shards if number % 2 else names)
        damage = draw.choice(DAMAGES)
        damage(copy / name, draw)
        changed = not (copy / name).exists() or (copy / name).read_bytes() != (sound / name).read_bytes()
        if changed:  # random bytes may be those that were there
            (finding,) = checked(copy)
            assert name in finding, (damage.__name__, name, finding)
        shutil.copyfile(sound / name, copy / name)


@pytest.mark.parametrize("form", FORMS)
def test_any_damage_to_any_file_is_one_line(form, datasets, tmp_path, checked):
    damage_and_check(datasets[form][0], tmp_path / "copy", 120, 0, checked)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_any_damage_to_any_file_thousands_of_times(form, datasets, tmp_path, checked):
    damage_and_check(datasets[form][0], tmp_path / "copy", 5000, 1, checked)


@pytest.mark.parametrize("form", FORMS)
def test_files_of_two_builds_changed_for_each_other(form, datasets, tmp_path, checked):
    one, other = datasets[form]
    names = [*files_of(one), "README.md"]
    assert names == [*files_of(other), "README.md"]
    shutil.copytree(one, tmp_path / "copy", symlinks=True)
    for name in names:
        if (one / name).read_bytes() != (other / name).read_bytes():
            shutil.copyfile(other / name, tmp_path / "copy" / name)
            findings = checked(tmp_path / "copy")
            assert len(findings) == 1 or name == "manifest.json"  # to which nothing else fits
            assert name == "manifest.json" or name in findings[0]
            shutil.copyfile(one / name, tmp_path / "copy" / name)


def test_two_shards_of_one_build_changed_for_each_other_and_a_stranger(datasets, tmp_path, checked):
    shutil.copytree(datasets["arrow"][0], tmp_path / "copy", symlinks=True)
    one, other = (tmp_path / "copy" / shard.path for shard in read_manifest(tmp_path / "copy").files[:2])
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert len(checked(tmp_path / "copy")) == 2
    one.write_bytes(content[0])
    other.write_bytes(content[1])
    for place in (one.with_stem("more"), tmp_path / "copy" / "more.parquet"):
        place.write_bytes(content[0])
        (finding,) = checked(tmp_path / "copy")
        assert finding.endswith("is in no manifest, and readers would load it; remove it")
        place.unlink()


def test_lines_of_the_card_that_loaders_read_and_lost_drops(datasets, tmp_path, checked):
    shutil.copytree(datasets["arrow"][0], tmp_path / "copy", symlinks=True)
    card = (tmp_path / "copy" / "README.md").read_text()
    for old, new in (("-of-00001", "-of-00002"), ("num_examples: ", "num_examples: 1"), ("---\n", "")):
        assert old in card
        (tmp_path / "copy" / "README.md").write_text(card.replace(old, new, 1))
        (finding,) = checked(tmp_path / "copy")
        assert finding.startswith("README.md: ")
    (tmp_path / "copy" / "README.md").write_text(card)
    with (tmp_path / "copy" / "drops.jsonl").open("a") as ledger:
        ledger.write("{}\n")
    (finding,) = checked(tmp_path / "copy")
    assert finding.startswith("drops.jsonl: ")
