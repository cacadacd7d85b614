
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('keys', '0015_everybody'),
    ]

    operations = [
        migrations.CreateModel(
            name='GivenRole',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='given_role', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('group', models.CharField(max_length=200)),
                ('given_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='given')),
                ('was_staff', models.BooleanField(default=False)),
                ('was_superuser', models.BooleanField(default=False)),
            ],
            options={
                'verbose_name': 'operator by sign-on',
                'verbose_name_plural': 'operators by sign-on',
            },
        ),
        migrations.AddField(
            model_name='membership',
            name='by_sign_on',
            field=models.BooleanField(default=False, editable=False),
        ),
    ]
