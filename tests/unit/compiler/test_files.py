"""Which files are read."""

from __future__ import annotations

import os

from tests.support.trees import VALID, registered

from cloudforest.compiler.compile import compile_tree


def test_names_that_begin_with_a_dot_are_not_read(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("kind: [")
    (tmp_path / ".x.yaml").write_text("kind: [")
    registered(tmp_path)


def test_a_link_within_the_tree_is_read(tmp_path):
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "tree.yml").write_text(VALID)
    (tmp_path / "tree.yml").symlink_to("..data/tree.yml")
    assert compile_tree(tmp_path).document_count == 6


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "tree.yaml").write_text(VALID)
    (found,) = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "This is a link to itself; put a file here" in found.message


def test_an_ending_in_capitals_is_read(tmp_path):
    (tmp_path / "tree.YAML").write_text(VALID)
    assert compile_tree(tmp_path).document_count == 6


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    text = VALID.replace("\n", "\r\n")
    (tmp_path / "tree.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert compile_tree(tmp_path).diagnostics == ()


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "tree.yaml")
    [found] = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "This is not a regular file; put a file here" in found.message
