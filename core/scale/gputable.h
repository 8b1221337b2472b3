/* gputable.h - the table of data/gpus.csv as it was built in. */
#ifndef GNRRUN_GPUTABLE_H
#define GNRRUN_GPUTABLE_H

extern const char gn_scale_gpus[];

#endif
