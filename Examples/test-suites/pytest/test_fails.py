# SPDX-License-Identifier: Apache-2.0
"""Fails."""


def test_fails():
    assert 1 == 2
