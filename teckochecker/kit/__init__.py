"""What all apps share and none of them owns: strict JSON, REST, declarations, admin parts. Imports none of them."""
