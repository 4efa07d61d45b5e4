"""The commit of a tree, read without running anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudforest.cli.commit import read_commit

Git = Callable[..., str]
COMMIT = "0123456789" * 4


def run_git(folder: Path, *words: str) -> str:
    settings = {
        "user.name": "a",
        "user.email": "a@b.c",
        "protocol.file.allow": "always",
    }
    options = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
    done = subprocess.run(
        ["git", *options, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "tree").mkdir(parents=True)
    (folder / "tree" / "tenant.yaml").write_text("kind: Tenant\n")
    run_git(folder, "init", "-q", "-b", "main")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "First")
    return folder


def head(repository: Path) -> str:
    return run_git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("folder", [".", "tree"])
def test_commit_is_that_of_the_branch(repository, folder):
    assert read_commit(repository / folder) == head(repository)


def test_packed_refs_are_read(repository):
    run_git(repository, "pack-refs", "--all")
    assert not (repository / ".git/refs/heads/main").exists()
    assert read_commit(repository) == head(repository)


def test_detached_head_is_its_commit(repository):
    run_git(repository, "checkout", "-q", "--detach")
    assert read_commit(repository) == head(repository)


def test_longer_commits_of_sha256_are_read(tmp_path):
    run_git(tmp_path, "init", "-q", "--object-format=sha256")
    run_git(tmp_path, "commit", "-q", "--allow-empty", "-m", "First")
    assert read_commit(tmp_path) == head(tmp_path)
    assert len(head(tmp_path)) == 64


@pytest.mark.parametrize("packed", [False, True])
def test_linked_worktree_has_its_own_branch(repository, tmp_path, packed):
    run_git(repository, "worktree", "add", "-q", "-b", "other", "../linked")
    run_git(tmp_path / "linked", "commit", "-q", "--allow-empty", "-m", "Second")
    if packed:
        run_git(repository, "pack-refs", "--all")
    assert read_commit(tmp_path / "linked" / "tree") == head(tmp_path / "linked")
    assert read_commit(tmp_path / "linked") != read_commit(repository)


def test_submodule_has_its_own_commit(repository, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    run_git(outer, "init", "-q")
    run_git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    assert read_commit(outer / "inner") == head(repository)


def test_folder_outside_a_repository_has_no_commit(tmp_path):
    assert read_commit(tmp_path) is None


def test_repository_without_a_commit_has_none(tmp_path):
    run_git(tmp_path, "init", "-q")
    assert read_commit(tmp_path) is None


def test_ordinary_files_are_not_taken_for_a_repository(tmp_path):
    """git itself finds a repository in these, and runs the filter that they name."""
    run_git(tmp_path, "init", "-q", "--bare")
    (tmp_path / "HEAD").write_text(COMMIT)
    assert read_commit(tmp_path) is None


def test_pointer_to_a_repository_that_does_not_point_back_counts_as_none(
    repository, tmp_path
):
    tree = tmp_path / "stranger"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {repository}/.git\n")
    assert read_commit(tree) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ref: ../../secret",
        "ref: refs/../../../secret",
        "ref: refs/heads/../../../../secret",
        "ref: refs//heads/main",
        "ref: refs/heads/main\x00",
        f"{COMMIT}; rm -rf /",
        COMMIT.upper().replace("0", "G"),
        "0" * 10_000,
        "ref: refs/heads/missing",
    ],
)
def test_head_that_names_no_commit_counts_as_none(repository, text):
    (repository.parent / "secret").write_text(COMMIT)
    (repository / ".git/HEAD").write_bytes(text.encode())
    assert read_commit(repository) is None


@pytest.mark.parametrize("name", [".git", ".git/HEAD", ".git/refs/heads/main"])
def test_link_in_the_repository_counts_as_none(repository, name):
    path = repository / name
    aside = repository.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    assert read_commit(repository) is None


def test_link_in_place_of_a_folder_of_refs_counts_as_none(repository):
    heads = repository / ".git/refs/heads"
    heads.rename(repository.parent / "aside")
    heads.symlink_to(repository.parent / "aside")
    assert read_commit(repository) is None


def test_links_in_a_circle_count_as_none(tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / ".git").write_text("gitdir: circle\n")
    assert read_commit(tmp_path) is None


def test_shared_folder_that_the_repository_names_is_not_followed(repository, tmp_path):
    tree = tmp_path / "stranger"
    (tree / ".git").mkdir(parents=True)
    (tree / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (tree / ".git/commondir").write_text(f"{repository}/.git\n")
    assert read_commit(tree) is None


@pytest.mark.parametrize("name", ["umlaut-ä", "fix(1)!", "a/b/c.d", "$x"])
def test_branch_may_have_any_name_that_git_allows(repository, name):
    run_git(repository, "checkout", "-q", "-b", name)
    assert read_commit(repository) == head(repository)


def test_pipe_in_place_of_head_does_not_block(repository):
    (repository / ".git/HEAD").unlink()
    os.mkfifo(repository / ".git/HEAD")
    assert read_commit(repository) is None


def test_nothing_runs(repository, tmp_path, monkeypatch):
    """Filters, fsmonitor and hooks of the repository, and git itself, stay unused."""
    ran = tmp_path / "ran"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "git"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    commit = head(repository)
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge"):
        run_git(repository, "config", key, str(program))
    (repository / ".gitattributes").write_text("* filter=x\n")
    (repository / "tree/tenant.yaml").write_text("kind: Tenant \n")
    monkeypatch.setenv("PATH", str(bin_folder))

    assert read_commit(repository / "tree") == commit
    assert not ran.exists()
