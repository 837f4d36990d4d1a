package openapi

import (
	"encoding/json"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// TreeJudge lets a judge of trees judge the tokens of a document. It goes with the
// last judge of trees.
type TreeJudge struct{ Trees *Judge }

// Judge judges a request as [Judge.Judge].
func (j TreeJudge) Judge(r *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) policy.Verdict {
	if !isJSON(mediaName(mediaType)) {
		return j.Trees.Judge(r, mediaType, nil, present)
	}
	return j.Trees.Judge(r, mediaType, treeOf(tokens), present)
}

// TreeAnswers are for answers what TreeJudge is for requests.
type TreeAnswers struct{ *Answers }

// Document judges an answer as [Answers.Document].
func (a TreeAnswers) Document(status int, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	return a.Answers.Document(status, mediaType, treeOf(tokens))
}

// treeOf rebuilds the value of a document.
func treeOf(tokens iter.Seq2[jsontext.Kind, []byte]) any {
	next, stop := iter.Pull2(tokens)
	defer stop()
	kind, text, ok := next()
	if !ok {
		return nil // not well-formed: nobody asks for the verdict
	}
	return treeValue(next, kind, text)
}

func treeValue(next func() (jsontext.Kind, []byte, bool), kind jsontext.Kind, text []byte) any {
	switch kind {
	case jsontext.KindTrue, jsontext.KindFalse:
		return kind == jsontext.KindTrue
	case jsontext.KindNumber:
		return json.Number(text)
	case jsontext.KindString:
		return string(text)
	case jsontext.KindBeginArray:
		array := []any{}
		for kind, text, ok := next(); ok && kind != jsontext.KindEndArray; kind, text, ok = next() {
			array = append(array, treeValue(next, kind, text))
		}
		return array
	case jsontext.KindBeginObject:
		object := map[string]any{}
		for kind, text, ok := next(); ok && kind != jsontext.KindEndObject; kind, text, ok = next() {
			name := string(text)
			if kind, text, ok = next(); ok {
				object[name] = treeValue(next, kind, text)
			}
		}
		return object
	case jsontext.KindNull, jsontext.KindEndObject, jsontext.KindEndArray, jsontext.KindInvalid:
	}
	return nil
}
