"""The extractor behind TF Serving: export, clients, an embedded server."""

__all__ = ["Client", "EmbeddedServer", "SavedModelExtractor", "export"]


def __getattr__(name):
    """Imports a public name when it is first asked for."""
    import importlib

    homes = {
        "Client": "delf_keras.serving.client",
        "EmbeddedServer": "delf_keras.serving.embedded.server",
        "SavedModelExtractor": "delf_keras.serving.saved_model_extractor",
        "export": "delf_keras.serving.exporting",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)
