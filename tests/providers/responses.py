"""Responses of the providers' own types, and what they are as plain documents.

The packages are imported where they are used: they are slow to import.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def chat_completion(usage: Document | None, **fields: Any) -> Any:
    from openai.types.chat import ChatCompletion

    return ChatCompletion.model_validate(
        {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-mini",
         "choices": [], "usage": usage, **fields}
    )  # fmt: skip


def chat_chunk(usage: Document | None, **fields: Any) -> Any:
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk.model_validate(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
         "model": "gpt-5-mini", "choices": [], "usage": usage, **fields}
    )  # fmt: skip


def openai_response(usage: Document | None, **fields: Any) -> Any:
    from openai.types.responses import Response

    return Response.model_validate(
        {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "output": [],
         "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": usage, **fields}
    )  # fmt: skip


def openai_embeddings(usage: Document) -> Any:
    from openai.types import CreateEmbeddingResponse

    return CreateEmbeddingResponse.model_validate(
        {"object": "list", "data": [], "model": "text-embedding-3-small", "usage": usage}
    )


def message(usage: Document, **fields: Any) -> Any:
    from anthropic.types.beta import BetaMessage

    return BetaMessage.model_validate(_message(usage, **fields))


def message_start(usage: Document, **fields: Any) -> Any:
    from anthropic.types import RawMessageStartEvent

    return RawMessageStartEvent.model_validate(
        {"type": "message_start", "message": _message(usage, **fields)}
    )


def message_delta(usage: Document) -> Any:
    from anthropic.types.beta import BetaRawMessageDeltaEvent

    return BetaRawMessageDeltaEvent.model_validate(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    )


def content_block_delta() -> Any:
    from anthropic.types import RawContentBlockDeltaEvent

    return RawContentBlockDeltaEvent.model_validate(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
    )


def content(usage: Document | None) -> Any:
    from google.genai.types import GenerateContentResponse

    return GenerateContentResponse.model_validate(
        {"model_version": "gemini-2.5-flash", "usage_metadata": usage}
    )


def interaction(usage: Document) -> Any:
    from google.genai.interactions import Interaction

    return Interaction.model_validate(
        {"id": "v1_1", "model": "gemini-2.5-flash", "status": "completed", "created": "2026-10-31",
         "updated": "2026-10-31", "usage": usage}
    )  # fmt: skip


def _message(usage: Document, **fields: Any) -> Document:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
            **fields}  # fmt: skip
