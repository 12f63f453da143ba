// Answers what the API server would say to our CustomResourceDefinitions and to objects of them, with the API
// server's own code and without one running.
//
// Arguments: the files of the definitions. First line of the output: a JSON array with every error of the
// definitions themselves (structural rules, cost of the CEL rules, …). Then, for each line of the input (one object as
// JSON), one line: a JSON array of its errors, empty if the API server would take it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	definitionvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	objectvalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// kind holds what is needed to judge objects of one kind.
type kind struct {
	structural *schema.Structural
	properties objectvalidation.SchemaValidator
	rules      *cel.Validator
}

func main() {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	kinds := map[string]kind{}
	wrong := []string{}
	for _, path := range os.Args[1:] {
		errors, name, read := readDefinition(scheme, path)
		wrong = append(wrong, errors...)
		kinds[name] = read
	}
	answer(wrong)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		answer(judge(kinds, line))
	}
}

func readDefinition(scheme *runtime.Scheme, path string) ([]string, string, kind) {
	text, err := os.ReadFile(path)
	fatal(err)
	var stated apiextensionsv1.CustomResourceDefinition
	fatal(yaml.UnmarshalStrict(text, &stated))
	scheme.Default(&stated)
	var definition apiextensions.CustomResourceDefinition
	fatal(scheme.Convert(&stated, &definition, nil))
	definition.Status.StoredVersions = []string{definition.Spec.Versions[0].Name}
	wrong := []string{}
	for _, err := range definitionvalidation.ValidateCustomResourceDefinition(context.Background(), &definition) {
		wrong = append(wrong, path+": "+err.Error())
	}
	properties := definition.Spec.Validation
	if properties == nil {
		properties = definition.Spec.Versions[0].Schema
	}
	structural, err := schema.NewStructural(properties.OpenAPIV3Schema)
	fatal(err)
	validator, _, err := objectvalidation.NewSchemaValidator(properties.OpenAPIV3Schema)
	fatal(err)
	return wrong, definition.Spec.Names.Kind, kind{
		structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}
}

// judge does what a create request does with the body, in the same order.
func judge(kinds map[string]kind, line []byte) []string {
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		return []string{err.Error()}
	}
	normalise(object)
	name, _ := object["kind"].(string)
	known, ok := kinds[name]
	if !ok {
		return []string{"kind: unknown"}
	}
	wrong := []string{}
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, known.structural, true, options) {
		wrong = append(wrong, path+": unknown field")
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, known.structural)
	defaulting.Default(object, known.structural)
	var errors field.ErrorList
	errors = append(errors, objectvalidation.ValidateCustomResource(nil, object, known.properties)...)
	errors = append(errors, listtype.ValidateListSetsAndMaps(nil, known.structural, object)...)
	if len(errors) == 0 && known.rules != nil {
		broken, _ := known.rules.Validate(
			context.Background(), nil, known.structural, object, nil, celconfig.RuntimeCELCostBudget,
		)
		errors = append(errors, broken...)
	}
	for _, err := range errors {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// normalise turns whole float64 into int64, as the API server's own JSON decoder does.
func normalise(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		for key, item := range typed {
			typed[key] = normalise(item)
		}
	case []any:
		for index, item := range typed {
			typed[index] = normalise(item)
		}
	case float64:
		if whole := int64(typed); float64(whole) == typed {
			return whole
		}
	}
	return value
}

func answer(wrong []string) {
	line, err := json.Marshal(wrong)
	fatal(err)
	fmt.Println(string(line))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
