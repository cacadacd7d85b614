"""The paths below `/v1`, one line each. The handler brings them without `/v1` and without a last
slash.
"""

from django.urls import path

from openai_api.completions.view import CompletionsView
from openai_api.decisions.view import DecisionsView
from openai_api.description.view import OpenApiView
from openai_api.embeddings.view import EmbeddingsView
from openai_api.image_edits.view import ImageEditsView
from openai_api.images.view import ImageGenerationsView
from openai_api.key_info.history import KeyUsageView
from openai_api.key_info.view import KeyView
from openai_api.messages.view import CountTokensView, MessagesView
from openai_api.model_list.view import ModelsView, ModelView
from openai_api.moderations.view import ModerationsView
from openai_api.rerank.view import RerankView
from openai_api.responses.in_chat import ChatCompletionsView
from openai_api.responses.view import InputTokensView, ResponsesView
from openai_api.speech.lists import SpeechModelsView, SpeechVoicesView
from openai_api.speech.view import SpeechView
from openai_api.transcriptions.view import TranscriptionsView, TranslationsView

urlpatterns = [
    path("openapi.json", OpenApiView.as_view()),
    path("models", ModelsView.as_view()),
    path("models/<path:model_id>", ModelView.as_view()),
    path("key", KeyView.as_view()),
    path("key/usage", KeyUsageView.as_view()),
    path("chat/completions", ChatCompletionsView.as_view()),
    path("responses", ResponsesView.as_view()),
    path("responses/input_tokens", InputTokensView.as_view()),
    path("messages", MessagesView.as_view()),
    path("messages/count_tokens", CountTokensView.as_view()),
    path("images/generations", ImageGenerationsView.as_view()),
    path("images/edits", ImageEditsView.as_view()),
    path("completions", CompletionsView.as_view()),
    path("embeddings", EmbeddingsView.as_view()),
    path("moderations", ModerationsView.as_view()),
    path("decisions", DecisionsView.as_view()),
    path("rerank", RerankView.as_view()),
    # Cohere's present API, whose version stands in the path.
    path("v2/rerank", RerankView.as_view()),
    path("audio/transcriptions", TranscriptionsView.as_view()),
    path("audio/translations", TranslationsView.as_view()),
    path("audio/speech", SpeechView.as_view()),
    path("audio/voices", SpeechVoicesView.as_view()),
    path("audio/models", SpeechModelsView.as_view()),
]

# Paths that are the API's even when a client leaves `/v1` out.
FIRST_SEGMENTS = frozenset(str(pattern.pattern).split("/")[0] for pattern in urlpatterns)
