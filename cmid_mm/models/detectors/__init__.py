"""Parts of detectors; each module needs the library of its task."""
