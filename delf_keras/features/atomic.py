from delf_keras.atomic import atomic_path  # noqa: F401
