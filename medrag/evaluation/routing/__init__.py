"""Routers of questions to domains: fitted to labelled pictures, calibrated, and measured."""
