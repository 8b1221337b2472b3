#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gnrrun/scheduler.h"

static void each_is_found_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(gn_scheduler_find("slurm")->name, "slurm");
    assert_string_equal(gn_scheduler_find("sge")->name, "sge");
    assert_null(gn_scheduler_find("direct"));
    assert_string_equal(gn_scheduler_find("pbs")->name, "pbs");
    assert_null(gn_scheduler_find("lsf"));
    assert_null(gn_scheduler_find(NULL));
}

static void what_is_needed_becomes_directives(void **state)
{
    char a100[] = "a100", c[] = "c", gpu[] = "gpu", proj[] = "proj-7", brief[] = "short";
    struct gn_needs needs = {.gpus = 2, .gpu_type = a100, .cpus = 8, .memory_bytes = 16000000000U};
    struct gn_strs submit = GN_STRS_INIT;
    struct gn_target t = {.name = c, .partition = gpu, .account = proj, .qos = brief};
    struct gn_job_wish w = {
        .name = "p-1a", .needs = &needs, .target = &t, .time_s = 3600, .grace_s = 10};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    gn_strs_add(&submit, "--constraint=v100|a100");
    t.submit = submit;
    assert_int_equal(gn_scheduler_find("slurm")->head(&w, &out, &err), GN_OK);
    assert_string_equal(out.ptr, "#!/bin/sh\n"
                                 "#SBATCH --job-name=p-1a\n"
                                 "#SBATCH --nodes=1\n"
                                 "#SBATCH --ntasks-per-node=1\n"
                                 "#SBATCH --no-requeue\n"
                                 "#SBATCH --signal=B:USR1@30\n"
                                 "#SBATCH --cpus-per-task=8\n"
                                 "#SBATCH --mem=15259M\n"
                                 "#SBATCH --time=63\n"
                                 "#SBATCH --gres=gpu:a100:2\n"
                                 "#SBATCH --partition=gpu\n"
                                 "#SBATCH --account=proj-7\n"
                                 "#SBATCH --qos=short\n"
                                 "#SBATCH --constraint=v100|a100\n");
    gn_buf_clear(&out);
    gn_strs_clear(&submit);
}

static void the_same_for_grid_engine(void **state)
{
    char c[] = "c", gpu[] = "gpu.q", proj[] = "p7", pe[] = "threads", ngpus[] = "ngpus",
         mem[] = "mem";
    struct gn_needs needs = {.gpus = 2, .cpus = 8, .memory_bytes = 16000000000U};
    struct gn_target t = {.name = c,
                          .partition = gpu,
                          .account = proj,
                          .pe = pe,
                          .gpu_resource = ngpus,
                          .memory_resource = mem};
    struct gn_job_wish w = {.name = "7p-1a",
                            .needs = &needs,
                            .target = &t,
                            .time_s = 3600,
                            .grace_s = 10,
                            .members = 5,
                            .parallel = 2};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    gn_strs_add(&t.submit, "-l h_vmem=4G");
    assert_int_equal(gn_scheduler_find("sge")->head(&w, &out, &err), GN_OK);
    assert_string_equal(out.ptr, "#!/bin/sh\n"
                                 "#$ -N gn-7p-1a\n"
                                 "#$ -r n\n"
                                 "#$ -t 1-5\n"
                                 "#$ -tc 2\n"
                                 "#$ -pe threads 8\n"
                                 "#$ -l h_rt=3760\n"
                                 "#$ -l ngpus=2\n"
                                 "#$ -l mem=1908M\n"
                                 "#$ -q gpu.q\n"
                                 "#$ -P p7\n"
                                 "#$ -l h_vmem=4G\n");
    gn_strs_clear(&t.submit);
    t.qos = c;
    assert_int_equal(gn_scheduler_find("sge")->head(&w, &out, &err), GN_E_CONFIG);
    t.qos = NULL;
    t.memory_resource = NULL;
    assert_int_equal(gn_scheduler_find("sge")->head(&w, &out, &err), GN_E_CONFIG);
    t.memory_resource = mem;
    needs.nodes = 2;
    assert_int_equal(gn_scheduler_find("sge")->head(&w, &out, &err), GN_E_CONFIG);
    gn_buf_clear(&out);
}

/* What one of the two alone understands is for that one alone. */
static void the_same_for_pbs(void **state)
{
    char c[] = "c", gpu[] = "gpu", proj[] = "p7", a100[] = "a100";
    struct gn_needs needs = {.gpus = 2, .cpus = 8, .memory_bytes = 16000000000U};
    struct gn_target t = {.name = c, .partition = gpu, .account = proj};
    struct gn_job_wish w = {.name = "7.p-1a-0123456789abcdef",
                            .needs = &needs,
                            .target = &t,
                            .time_s = 100 * 3600,
                            .grace_s = 10};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    gn_strs_add(&t.submit, "-l place=excl");
    assert_int_equal(gn_scheduler_find("pbs")->head(&w, &out, &err), GN_OK);
    assert_string_equal(out.ptr, "#!/bin/sh\n"
                                 "#PBS -S /bin/sh\n"
                                 "#PBS -r n\n"
                                 "#PBS -j oe\n"
                                 "#PBS -m n\n"
                                 "#PBS -N gn-7_p_1a_01234\n"
                                 "#PRO -l select=1:ncpus=8:ngpus=2:mem=15259mb\n"
                                 "#TORQUE -l nodes=1:ppn=8:gpus=2\n"
                                 "#TORQUE -l mem=15259mb\n"
                                 "#PBS -l walltime=100:02:40\n"
                                 "#PBS -q gpu\n"
                                 "#PBS -A p7\n"
                                 "#PBS -l place=excl\n");
    gn_strs_clear(&t.submit);
    needs = (struct gn_needs){0};
    w.time_s = 0;
    gn_buf_clear(&out);
    assert_int_equal(gn_scheduler_find("pbs")->head(&w, &out, &err), GN_OK);
    assert_non_null(strstr(out.ptr, "#PRO -l select=1:ncpus=1\n#TORQUE -l nodes=1:ppn=1\n#PBS -q"));
    t.qos = c;
    assert_int_equal(gn_scheduler_find("pbs")->head(&w, &out, &err), GN_E_CONFIG);
    t.qos = NULL;
    needs.gpu_type = a100;
    assert_int_equal(gn_scheduler_find("pbs")->head(&w, &out, &err), GN_E_CONFIG);
    needs.gpu_type = NULL;
    needs.nodes = 2;
    assert_int_equal(gn_scheduler_find("pbs")->head(&w, &out, &err), GN_E_CONFIG);
    assert_null(gn_scheduler_find("pbs")->member);
    gn_buf_clear(&out);
}

static void what_is_not_given_is_the_sites(void **state)
{
    char c[] = "c";
    struct gn_needs needs = {0};
    struct gn_target t = {.name = c};
    struct gn_job_wish w = {.name = "p-1a", .needs = &needs, .target = &t};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    assert_int_equal(gn_scheduler_find("slurm")->head(&w, &out, &err), GN_OK);
    assert_null(strstr(out.ptr, "--time"));
    assert_null(strstr(out.ptr, "--mem"));
    assert_null(strstr(out.ptr, "--gres"));
    assert_null(strstr(out.ptr, "--partition"));
    gn_buf_clear(&out);
}

static void several_nodes_have_a_task_for_each_gpu(void **state)
{
    char c[] = "c";
    struct gn_needs needs = {.nodes = 2, .gpus = 4, .cpus = 16};
    struct gn_target t = {.name = c};
    struct gn_job_wish w = {.name = "p-1a", .needs = &needs, .target = &t};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    assert_int_equal(gn_scheduler_find("slurm")->head(&w, &out, &err), GN_OK);
    assert_non_null(strstr(out.ptr, "\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=4\n"));
    assert_non_null(strstr(out.ptr, "\n#SBATCH --cpus-per-task=4\n"));
    assert_non_null(strstr(out.ptr, "\n#SBATCH --gres=gpu:4\n"));
    gn_buf_clear(&out);
}

static void a_sweep_is_one_array(void **state)
{
    char c[] = "c";
    struct gn_needs needs = {0};
    struct gn_target t = {.name = c};
    struct gn_job_wish w = {.name = "p-1a", .needs = &needs, .target = &t, .members = 100};
    struct gn_buf out = GN_BUF_INIT(10000);
    struct gn_err err = GN_ERR_INIT;

    (void)state;
    assert_int_equal(gn_scheduler_find("slurm")->head(&w, &out, &err), GN_OK);
    assert_non_null(strstr(out.ptr, "\n#SBATCH --array=1-100\n"));
    gn_buf_reset(&out);
    w.parallel = 8;
    assert_int_equal(gn_scheduler_find("slurm")->head(&w, &out, &err), GN_OK);
    assert_non_null(strstr(out.ptr, "\n#SBATCH --array=1-100%8\n"));
    gn_buf_clear(&out);
}

/* No value becomes a second directive, or a line of sh. */
static void no_value_leaves_its_line(void **state)
{
    static const char *const bad[] = {"gpu\nrm -rf /", "a b", "x'y", "$(id)", "`id`",
                                      "a;b",           "#",   "",    "a\\b"};

    static const char *const names[] = {"slurm", "sge", "pbs"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof bad / sizeof *bad; i++) {
        const char *text = bad[i / 2];
        const struct gn_scheduler *s = gn_scheduler_find(names[i % 2]);
        char c[] = "c", word[32];
        struct gn_needs needs = {.gpus = 1};
        struct gn_target t = {.name = c, .partition = word};
        struct gn_job_wish w = {.name = "p-1a", .needs = &needs, .target = &t};
        struct gn_buf out = GN_BUF_INIT(10000);
        struct gn_err err = GN_ERR_INIT;

        snprintf(word, sizeof word, "%s", text);
        assert_int_equal(s->head(&w, &out, &err), GN_E_CONFIG);
        t.partition = NULL;
        needs.gpu_type = word;
        assert_int_equal(s->head(&w, &out, &err), GN_E_CONFIG);
        needs.gpu_type = NULL;
        gn_strs_add(&t.submit, i / 2 ? text : "--x\nid");
        assert_int_equal(s->head(&w, &out, &err), GN_E_CONFIG);
        gn_strs_clear(&t.submit);
        gn_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_by_its_name),
        cmocka_unit_test(what_is_needed_becomes_directives),
        cmocka_unit_test(the_same_for_grid_engine),
        cmocka_unit_test(the_same_for_pbs),
        cmocka_unit_test(what_is_not_given_is_the_sites),
        cmocka_unit_test(several_nodes_have_a_task_for_each_gpu),
        cmocka_unit_test(a_sweep_is_one_array),
        cmocka_unit_test(no_value_leaves_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
