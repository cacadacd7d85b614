import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from storage.columns import AddColumn


class Migration(migrations.Migration):

    dependencies = [
        ('keys', '0012_sent_form'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(error_messages={'unique': 'There is a team of this name.'}, max_length=120, unique=True, validators=[django.core.validators.RegexValidator('\\A[^\\x00-\\x1f\\x7f]*\\Z', 'A name is one line without control characters.')])),
                ('notes', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        AddColumn(
            model_name='requestlog',
            name='team_id',
            field=models.BigIntegerField(null=True),
        ),
        AddColumn(
            model_name='requestlog',
            name='team_name',
            field=models.CharField(db_default='', max_length=120),
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_lead', models.BooleanField(default=False, help_text="Sees and limits the keys of the team's members.", verbose_name='lead')),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('user', models.OneToOneField(error_messages={'unique': 'This account is in another team already: take it out of that one first.'}, on_delete=django.db.models.deletion.CASCADE, related_name='team_membership', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='keys.team')),
            ],
            options={
                'verbose_name': 'member',
            },
        ),
    ]
