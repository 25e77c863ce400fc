from django.conf import settings
from django.db import migrations, models
from wagtail.fields import RichTextField


class Migration(migrations.Migration):
    initial = True
    dependencies = (("wagtailcore", "__first__"),)
    operations = (
        migrations.CreateModel(
            "HomePage",
            [
                (
                    "page_ptr",
                    models.OneToOneField(
                        getattr(settings, "WAGTAIL_PAGE_MODEL", "wagtailcore.Page"),
                        models.CASCADE,
                        parent_link=True,
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("body", RichTextField(blank=True)),
            ],
            bases=("wagtailcore.page",),
        ),
    )
