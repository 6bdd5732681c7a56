"""A table for program.py."""

from django.db import models


class Ship(models.Model):
    name = models.TextField()
    tons = models.IntegerField(default=7)
