// SPDX-License-Identifier: Apache-2.0
//
// YAML, and JSON with it, by libyaml: one event after the other. A specification is somebody else's file, so
// nothing in it may stand for something else: an anchor's aliases unfold without end.

#include <stdlib.h>
#include <yaml.h>

#include "include/host.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    bool has_document;
};

void *nsrun_yaml_open(const char *bytes, size_t length) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL || !yaml_parser_initialize(&reader->parser)) {
        free(reader);
        return NULL;
    }
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)bytes, length);
    return reader;
}

void nsrun_yaml_close(void *opaque) {
    struct reader *reader = opaque;
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    free(reader);
}

static void fail(struct nsrun_yaml_event *event, const char *why) {
    event->kind = NSRUN_YAML_ERROR;
    event->text = why;
    event->length = strlen(why);
}

static void start(struct nsrun_yaml_event *event, enum nsrun_yaml_kind kind, const void *anchor,
                  const void *tag) {
    event->kind = kind;
    if (anchor != NULL)
        fail(event, "anchors are not taken");
    else if (tag != NULL)
        fail(event, "tags are not taken");
}

void nsrun_yaml_next(void *opaque, struct nsrun_yaml_event *event) {
    struct reader *reader = opaque;
    yaml_event_t *from = &reader->event;
    *event = (struct nsrun_yaml_event){.kind = NSRUN_YAML_END};
    for (;;) {
        if (reader->has_event)
            yaml_event_delete(from);
        reader->has_event = yaml_parser_parse(&reader->parser, from);
        if (!reader->has_event) {
            const char *problem = reader->parser.problem;
            event->line = (uint32_t)reader->parser.problem_mark.line + 1;
            return fail(event, problem != NULL ? problem : "there is not enough memory");
        }
        event->line = (uint32_t)from->start_mark.line + 1;
        switch (from->type) {
        case YAML_DOCUMENT_START_EVENT:
            if (reader->has_document)
                return fail(event, "there is a second document");
            reader->has_document = true;
            continue;
        case YAML_STREAM_END_EVENT: return;
        case YAML_ALIAS_EVENT: return fail(event, "aliases are not taken");
        case YAML_SCALAR_EVENT:
            event->text = (const char *)from->data.scalar.value;
            event->length = from->data.scalar.length;
            event->is_plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
            return start(event, NSRUN_YAML_SCALAR, from->data.scalar.anchor, from->data.scalar.tag);
        case YAML_SEQUENCE_START_EVENT:
            return start(event, NSRUN_YAML_LIST, from->data.sequence_start.anchor,
                         from->data.sequence_start.tag);
        case YAML_MAPPING_START_EVENT:
            return start(event, NSRUN_YAML_MAP, from->data.mapping_start.anchor,
                         from->data.mapping_start.tag);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT: event->kind = NSRUN_YAML_CLOSE; return;
        default: continue;
        }
    }
}
