"""Only the optional extension is declared here; everything else is in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("inspector/kernels")

setup(
    ext_modules=[
        # optional: a machine without a compiler installs all the same and runs the plain twins
        Extension(
            f"inspector.kernels.{path.stem}",
            [str(path)],
            include_dirs=[str(KERNELS)],
            depends=[str(path) for pattern in ("*.h", "*.pxd") for path in sorted(KERNELS.glob(pattern))],
            extra_compile_args=["-O3"],
            optional=True,
        )
        for path in sorted(KERNELS.glob("*.pyx"))
    ]
)
