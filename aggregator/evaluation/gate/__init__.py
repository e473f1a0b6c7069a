"""Who is malicious: `inspection` reads what was sent, `statistics` measures it, `verdict` decides."""
