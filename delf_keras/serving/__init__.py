"""The extractor behind TF Serving: export, clients, an embedded server."""
