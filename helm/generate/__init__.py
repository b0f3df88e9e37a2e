"""What the chart takes from elsewhere: `make chart` writes values.yaml, values.schema.json, README.md and files/."""
