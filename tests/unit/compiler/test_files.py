"""Which files of a tree are read, and how unreadable ones are reported."""

from __future__ import annotations

import os

from tests.support.trees import VALID, registered

from cloudforest.compiler.compile import compile_tree


def test_dot_files_are_not_read(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("kind: [")
    (tmp_path / ".x.yaml").write_text("kind: [")
    registered(tmp_path)


def test_link_within_the_tree_is_read(tmp_path):
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "tree.yml").write_text(VALID)
    (tmp_path / "tree.yml").symlink_to("..data/tree.yml")
    assert compile_tree(tmp_path).document_count == 6


def test_link_to_itself_is_reported(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "tree.yaml").write_text(VALID)
    (found,) = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "is a link to itself" in found.message


def test_upper_case_suffix_is_read(tmp_path):
    (tmp_path / "tree.YAML").write_text(VALID)
    assert compile_tree(tmp_path).document_count == 6


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    text = VALID.replace("\n", "\r\n")
    (tmp_path / "tree.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert compile_tree(tmp_path).diagnostics == ()


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "tree.yaml")
    [found] = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "is not a regular file" in found.message
