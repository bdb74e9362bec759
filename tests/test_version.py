import inspector


def test_the_package_has_a_version() -> None:
    assert inspector.__version__.count(".") == 2
