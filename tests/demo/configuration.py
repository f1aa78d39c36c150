"""What the demo adds to ``aimeter.toml``: rates, prices and where Stripe is."""

CONFIGURATION = """\
overage_markup = "1.25"

[currency_rates]
usd_eur = 0.92
usd_jpy = 150

[prices.openai."gpt-4o-mini"]
input_per_1m = "0.15"
cached_input_per_1m = "0.075"
output_per_1m = "0.60"

[prices.openai."gpt-4o"]
input_per_1m = "2.50"
cached_input_per_1m = "1.25"
output_per_1m = "10.00"

[prices.anthropic."claude-sonnet-4"]
input_per_1m = "3.00"
cached_input_per_1m = "0.30"
output_per_1m = "15.00"

[prices.google."gemini-2.0-flash"]
input_per_1m = "0.10"
cached_input_per_1m = "0.025"
output_per_1m = "0.40"

[billing]
driver = "stripe"

[stripe]
api_base = "{url}"
"""
