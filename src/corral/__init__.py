"""Corral: golden disk images for a fleet of machines."""
