"""The operator: from EdgeNodes and MainstreamApps to Jobs, schedules and runners."""
