"""M-Packages and base DNN artifacts: documents, OCI layout, verification."""
