"""Kubernetes operator for Cloudflare API Shield mTLS with certificate authorities of your own."""
