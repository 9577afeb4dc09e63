"""The network of the published framework: Noise, binary stanzas, enlistment by form."""
