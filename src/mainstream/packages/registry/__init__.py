"""Base DNNs and M-Packages in registries, by the OCI distribution protocol (distribution-spec v1.1)."""
