# The SHA-256 of "x".

mock_data "archive_file" {
  defaults = { output_base64sha256 = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=" }
}
