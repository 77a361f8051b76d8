"""Pushing to a Hub on this machine: what arrives is the dataset, half of it never shows, and nothing is sent twice."""

from __future__ import annotations

import json
import shutil

import datasets
import pytest
from huggingface_hub import HfApi, constants

from tests.vtinstruct.hub import Running
from vtinstruct.build import Options, build, choose
from vtinstruct.build.progress import Silent
from vtinstruct.check import check
from vtinstruct.cli import main
from vtinstruct.manifest import DatasetError, read_manifest
from vtinstruct.photos import open_photo
from vtinstruct.push import push
from vtinstruct.shards import dialogue_from_row, read_dialogues

REPO = "owner/name"
# said by the HTTP library of huggingface_hub 2.4's own upload
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    with Running() as running:
        running.api = HfApi(endpoint=running.endpoint, token="hf_of_nobody")
        yield running


@pytest.fixture(scope="module")
def chosen(small_sample):
    return choose([f"refcoco={small_sample / 'refer'}"])


@pytest.fixture(scope="module")
def portable(chosen, tmp_path_factory):
    out = tmp_path_factory.mktemp("push") / "out"
    build(chosen, Options(("rec", "res"), format="parquet", embed=True), out, Silent())
    return out


def test_what_arrives_is_the_dataset_and_loads(hub, portable, tmp_path, monkeypatch):
    done = push(portable, REPO, private=True, api=hub.api)
    assert hub.hub.created["name"] == "name"
    assert hub.hub.created["organization"] == "owner"
    assert hub.hub.created["type"] == "dataset"
    assert hub.hub.created.get("private") is True or hub.hub.created.get("visibility") == "private"
    assert hub.hub.commits == ["VT-Instruct dataset"]
    assert done.commit.endswith("/commit/1")
    assert done.unchanged == 0
    assert set(done.sent) == set(hub.hub.files)
    assert hub.hub.called("validate-yaml")
    arrived = hub.hub.save(tmp_path / "arrived")
    assert check(arrived, photos=True).findings == ()
    published = json.loads((arrived / "croissant.json").read_text())
    assert published["url"] == f"{hub.endpoint}/datasets/{REPO}"
    assert len(published["datePublished"]) == 10
    monkeypatch.chdir(tmp_path)
    datasets.disable_progress_bars()
    rows = datasets.load_dataset(str(arrived), "rec", split="val", cache_dir=str(tmp_path / "cache"))
    assert [dialogue_from_row(row) for row in rows] == list(read_dialogues(portable, "rec", "val"))
    assert open_photo(arrived, rows[0]).size == (rows[0]["image"]["width"], rows[0]["image"]["height"])


def test_a_push_that_broke_off_goes_on_and_shows_nothing_till_all_is_there(hub, portable):
    hub.hub.refuse_after = 2
    with pytest.raises(DatasetError, match="run the same command again: what is uploaded is not sent again") as caught:
        push(portable, REPO, api=hub.api)
    assert "\n" not in str(caught.value)
    assert hub.hub.files == {}
    assert hub.hub.commits == []
    before = dict(hub.hub.blobs)
    assert len(before) == 2
    hub.hub.refuse_after, hub.hub.calls = None, []
    push(portable, REPO, api=hub.api)
    again = {call.split()[1] for call in hub.hub.called("^PUT")}
    assert not again & set(before)
    assert len(hub.hub.commits) == 1
    for file in read_manifest(portable).files:
        assert hub.hub.files[file.path] == (portable / file.path).read_bytes()


def test_nothing_to_do_is_nothing_done(hub, portable):
    push(portable, REPO, api=hub.api)
    hub.hub.calls = []
    done = push(portable, REPO, api=hub.api)
    assert (done.sent, done.removed, done.bytes, done.commit) == ((), (), 0, "")
    assert done.unchanged == len(hub.hub.files)
    assert not hub.hub.called("^(POST|PUT)")


def test_a_rebuilt_dataset_sends_what_changed_and_removes_what_is_no_more(hub, portable, chosen, tmp_path):
    push(portable, REPO, api=hub.api)
    hub.hub.files["LICENSE"] = b"anything of the owner's"
    out = tmp_path / "rebuilt"
    build(chosen, Options(("rec",), seed=7, format="parquet", embed=True), out, Silent())
    hub.hub.calls = []
    done = push(out, REPO, api=hub.api)
    images = {file.path for file in read_manifest(out).images}
    assert done.unchanged
    assert not images & set(done.sent)  # the photos are the same
    assert {path.split("/")[1] for path in done.removed} == {"res"}
    assert set(hub.hub.files) == {"LICENSE"} | {
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and ".build" not in path.parts
    }
    assert check(hub.hub.save(tmp_path / "arrived")).findings == ()


def test_a_dry_run_only_looks(hub, portable):
    planned = push(portable, REPO, dry_run=True, api=hub.api)
    assert planned.commit == ""
    assert planned.bytes > sum(file.bytes for file in read_manifest(portable).files)
    assert "manifest.json" in planned.sent
    assert hub.hub.calls == ["GET /api/datasets/owner/name/tree/main"]
    assert set(push(portable, REPO, api=hub.api).sent) == set(planned.sent)


def test_an_unsound_dataset_is_not_pushed(hub, portable, tmp_path):
    shutil.copytree(portable, tmp_path / "copy")
    shard = tmp_path / "copy" / read_manifest(portable).files[0].path
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"of another build; `vtinstruct check` lists"):
        push(tmp_path / "copy", REPO, api=hub.api)
    assert hub.hub.calls == []


def test_photos_that_are_links_copies_or_left_out(hub, chosen, tmp_path):
    linked, copied = tmp_path / "linked", tmp_path / "copied"
    build(chosen, Options(("rec",)), linked, Silent())
    build(chosen, Options(("rec",), copy_photos=True), copied, Silent())
    with pytest.raises(
        DatasetError, match="photos are linked, and links lead nowhere on the Hub; repack it with --embed"
    ):
        push(linked, REPO, api=hub.api)
    push(copied, REPO, api=hub.api)
    arrived = hub.hub.save(tmp_path / "arrived")
    assert check(arrived, photos=True).findings == ()
    photos = {path for path in hub.hub.files if path.startswith("images/")}
    assert photos
    done = push(linked, REPO, photos=False, api=hub.api)
    assert done.removed == ()
    assert photos <= set(hub.hub.files)


def test_what_is_somebody_elses_is_left_alone(hub, portable):
    hub.hub.created, hub.hub.files = {}, {"data/train.csv": b"a,b", ".gitattributes": b""}
    with pytest.raises(DatasetError, match=r"holds data/train\.csv and is no VT-Instruct dataset"):
        push(portable, REPO, api=hub.api)
    hub.hub.files = {".gitattributes": b""}
    push(portable, REPO, api=hub.api)
    assert ".gitattributes" in hub.hub.files


def test_what_the_hub_says_is_one_line(hub, portable):
    hub.hub.complaint = '"license" must be one of'
    with pytest.raises(DatasetError, match=r"owner/name: Invalid metadata in README\.md"):
        push(portable, REPO, api=hub.api)
    with pytest.raises(DatasetError, match="OWNER/NAME is right"):
        push(portable, "a/b/c", api=hub.api)


def test_a_hub_that_cannot_be_reached_is_one_line(portable, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between its many tries
    api = HfApi(endpoint="http://127.0.0.1:9", token="hf_of_nobody")
    with pytest.raises(DatasetError, match=r"owner/name: .*run the same command again") as caught:
        push(portable, REPO, api=api)
    assert "\n" not in str(caught.value)


def test_too_many_files_for_a_commit(hub, portable, monkeypatch):
    monkeypatch.setattr("vtinstruct.push.MOST_FILES", 3)
    with pytest.raises(DatasetError, match="files are too many for a commit; `vtinstruct repack --embed`"):
        push(portable, REPO, api=hub.api)


def test_the_command(hub, portable, monkeypatch, capsys):
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["vtinstruct", "push", str(portable), REPO, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out.splitlines()

    planned = run("--dry-run")
    assert "send manifest.json" in planned
    assert planned[-1].startswith("to send: ")
    assert hub.hub.files == {}
    done = run()
    assert done[-1] == f"{hub.endpoint}/datasets/owner/name/commit/1"
    assert done[-2].endswith("removed: 0; unchanged: 0")


def test_the_command_without_a_dataset(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["vtinstruct", "push", str(tmp_path), REPO])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "manifest.json is not there" in capsys.readouterr().err
