"""Our protobuf descriptions with public field numbers, and the generated code.

Regenerate from the project's root with::

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. bridge/wire/proto/*.proto

The generated files are committed, so that running the bridge needs no compiler.
"""
