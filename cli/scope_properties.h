/*
 * Annotations org.systemd.property.NAME: properties of the scope that systemd makes with --systemd-cgroup, as runc has them
 * (its docs/systemd-properties.md). Any name is handed on; what systemd does not know, or does not let be set, it refuses.
 */
#ifndef CLI_SCOPE_PROPERTIES_H
#define CLI_SCOPE_PROPERTIES_H

#include "cli/json.h"

#define SCOPE_PROPERTY_PREFIX "org.systemd.property."

/* Whether all of them can be taken. 0, or 1 after a message. */
int scope_properties_check(const struct json *json, const struct strings *annotations);
/* As words for cli/systemd/property.h. They were checked. */
void scope_properties_add(struct strings *words, const struct strings *annotations);

#endif
