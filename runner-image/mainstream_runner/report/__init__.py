"""What the runner tells the cluster: its EdgeNode's ``status.runner``, and by a Lease that it lives."""
