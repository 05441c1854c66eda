"""The tuned tier: tables, for float32 on CPUs with AVX-512. The rest of limen is without."""
