// SPDX-License-Identifier: Apache-2.0
//
// Nothing to include: what is in this target takes the place of the C library's, or is called by libraries.
#pragma once
