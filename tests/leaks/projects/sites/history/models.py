from django.db import models
from simple_history.models import HistoricalRecords


class Loan(models.Model):
    title = models.CharField(max_length=50)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.title
