"""``aimeter import laravel``: from the tables of the Laravel AI Metering package into ours."""
