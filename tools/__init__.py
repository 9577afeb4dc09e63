"""Programs that keep the project in order: setting up, references, lock files, images."""
